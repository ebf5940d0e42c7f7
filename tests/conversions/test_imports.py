"""What a conversion is can be known without Airflow and without a network."""

import pkgutil
import subprocess
import sys

import airflow_provider_pinterest.conversions as package

MODULES = [f"{package.__name__}.{module.name}" for module in pkgutil.iter_modules(package.__path__)]


def test_conversions_import_neither_airflow_nor_an_http_library():
    program = f"import sys, {', '.join(MODULES)}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "airflow_provider_pinterest" in loaded
    assert not loaded & {"airflow", "requests", "urllib3", "httpx", "http", "limits", "phonenumbers", "jsonschema_rs"}
