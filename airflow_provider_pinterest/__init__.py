"""Send conversion events from a warehouse to the Pinterest Conversions API with Apache Airflow.

The page docs/api.md lists the public names. Their modules have ``__all__``. All other modules and names are internal
and may change in any version.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
