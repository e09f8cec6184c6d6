"""Runs schemathesis against a live node: no 5xx, no answer that the document does not describe.

Needs a Python environment with schemathesis in target/test-tools/python (`cargo xtask install`), or
SCHEMATHESIS naming the program. The last line counts as the gate expects it.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
TOKEN = "a-token-for-this-run-only"
# A feed does not end, and an identity provider is not configured here.
LEFT_OUT = ["/api/v1/feed", "/api/v1/login/oidc", "/api/v1/login/oidc/callback"]


def schemathesis():
    named = os.environ.get("SCHEMATHESIS")
    program = pathlib.Path(named or ROOT / "target/test-tools/python/bin/schemathesis")
    return program if program.exists() else None


def start(folder):
    token = folder / "token"
    token.write_text(TOKEN)
    program = os.environ.get("QUORATE", str(ROOT / "target/release/quorate"))
    node = subprocess.Popen(
        [program, "serve", f"--data-dir={folder / 'data'}", f"--admin-token-file={token}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    for line in node.stdout:
        if line.startswith("web "):
            return node, "http://" + line.split()[1]
    raise SystemExit("the node did not start")


def main():
    program = schemathesis()
    if program is None:
        print("schemathesis is not installed (`cargo xtask install`)")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        node, url = start(pathlib.Path(folder))
        try:
            command = [program, "run", f"{url}/api/v1/openapi.json", "--url", url]
            command += ["--checks", CHECKS, "--phases", "examples,coverage,fuzzing"]
            command += ["--max-examples", os.environ.get("EXAMPLES", "10"), "--seed", "1"]
            command += ["--rate-limit", "1100/m", "--header", f"Authorization: Bearer {TOKEN}"]
            for path in LEFT_OUT:
                command += ["--exclude-path", path]
            result = subprocess.run(command, cwd=folder)
        finally:
            node.terminate()
            node.wait()
    good = result.returncode == 0
    print(f"{int(good)} passed, {int(not good)} failed, 0 skipped")
    return result.returncode


if __name__ == "__main__":
    sys.exit(main())
