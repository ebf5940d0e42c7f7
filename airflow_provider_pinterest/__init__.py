"""Send conversion events from a warehouse to the Pinterest Conversions API with Apache Airflow."""

__version__ = "0.1.0"
