"""Pinterest's HTTP API: single calls; only ``limited_call`` repeats any. Does not import Airflow.

- ``connection``: token, host, account and limits; creates clients and rate limiters.
- ``client``: makes one call; a ``request`` goes out, a reply of ``responses`` comes back.
- ``request``: an HTTP request.
- ``limited_call``: makes a call within the rate limit, and makes it again where that is safe.
- ``responses``: HTTP responses, and the results that all endpoints share.
- ``ad_account``: the id of an ad account.
- ``events_endpoint``: the endpoint that receives events, and the results of a request with events.
- ``deletion_requests_endpoint``: the endpoint for deletion requests.
- ``deletion_states``: a deletion request, and how far it can be.
- ``oauth_endpoint``: the endpoint that issues access tokens.
- ``credentials``: the tokens in use, and how they are replaced.
- ``token_renewal``: keeps the token of one request valid.
- ``backoff``: how long to wait before a call is made again.
- ``rate_limit``: decides when a call may be made.
- ``call_window``: counts the calls of this process.
- ``connections``: keeps connections open between calls.
- ``route``: address, proxy and certificates for the API's host.
- ``network_failures``: what a network failure means, and whether a retry can help.
- ``watchdog``: aborts calls that take too long.
- ``interruptible``: runs blocking work that a stop or a time-out can leave behind.
"""

from __future__ import annotations
