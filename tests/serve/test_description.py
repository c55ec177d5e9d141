"""Requests made up from the OpenAPI description: whatever comes, no answer is a fault."""

import os
import subprocess
import sys

import pytest
from served import serving

# what the description says of the whole answer: no status over 499, and only statuses, types and
# bodies that it lists
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_schema_conformance",
)  # fmt: skip


@pytest.mark.slow
def test_no_request_that_fits_or_breaks_the_description_is_a_fault(trained, tmp_path):
    with serving(trained, tmp_path / "log") as service:
        command = [
            sys.executable, "-m", "schemathesis.cli", "run", f"{service.url}/openapi.json",
            "--checks", ",".join(CHECKS), "--max-examples", "200", "--seed", "1",
            "--generation-database", "none", "--no-color",
        ]  # fmt: skip
        result = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=tmp_path, env=os.environ
        )
        assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-2000:]
        assert "No issues found" in result.stdout, result.stdout[-2000:]
        assert service.is_alive() and "fault" not in service.log.read_text()
