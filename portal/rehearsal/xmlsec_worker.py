"""python-xmlsec in a process and an environment of its own, for the benchmark only: lines of JSON in, lines out.

Started by `portal.rehearsal.xmlsec_beside` as a plain script. It imports nothing of ours, since its environment holds
only deploy/bench.lock, and it must never be asked for a verdict: a record it refuses ends the measuring.
"""

import base64
import json
import sys
import time
from collections.abc import Callable
from typing import Any

if __name__ == "__main__":
    # The folder of packages comes as the one argument; no other packages are in sight.
    sys.path.insert(0, sys.argv[1])

import xmlsec
from lxml import etree

_DS = "{http://www.w3.org/2000/09/xmldsig#}"
_IDS = ["Id", "id"]


class Engine:
    """Records and trusted authorities, loaded once as a careful user of the library would."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.records = [base64.b64decode(text) for text in task["records"]]
        self._trusted = xmlsec.KeysManager()
        for text in task["authorities"]:
            self._trusted.load_cert_from_memory(
                base64.b64decode(text), xmlsec.KeyFormat.CERT_DER, xmlsec.KeyDataType.TRUSTED
            )
        self._keys: dict[str, Any] = {}
        for data in self.records:
            for signature in etree.fromstring(data).iter(f"{_DS}Signature"):
                text = _certificate(signature)
                if text not in self._keys:
                    self._keys[text] = xmlsec.Key.from_memory(base64.b64decode(text), xmlsec.KeyFormat.CERT_DER, None)

    def with_chain(self, data: bytes) -> None:
        """The certificate of the document, its chain built up to the trusted ones, for every signature anew."""
        for signature in _signatures(data):
            context = xmlsec.SignatureContext(self._trusted)
            context.set_enabled_key_data([xmlsec.KeyData.X509])
            context.verify(signature)

    def with_cached_key(self, data: bytes) -> None:
        """The key is known by the text of the certificate; no chain."""
        for signature in _signatures(data):
            context = xmlsec.SignatureContext()
            context.key = self._keys[_certificate(signature)]
            context.verify(signature)


def _signatures(data: bytes) -> list[Any]:
    root = etree.fromstring(data)
    xmlsec.tree.add_ids(root, _IDS)
    return list(root.iter(f"{_DS}Signature"))


def _certificate(signature: Any) -> str:
    text: str | None = signature.findtext(f"{_DS}KeyInfo/{_DS}X509Data/{_DS}X509Certificate")
    return text or ""


def _slice(verify: Callable[[bytes], None], records: list[bytes]) -> float:
    start = time.process_time()
    for data in records:
        verify(data)
    return (time.process_time() - start) / len(records)


def main() -> None:
    engine = Engine(json.loads(sys.stdin.readline()))
    forms = {"with_chain": engine.with_chain, "with_cached_key": engine.with_cached_key}
    libraries = {"xmlsec": xmlsec.__version__, "libxml2": ".".join(map(str, etree.LIBXML_VERSION))}
    _answer({"libraries": libraries})
    for line in sys.stdin:
        _answer({"seconds": _slice(forms[line.strip()], engine.records)})


def _answer(values: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
