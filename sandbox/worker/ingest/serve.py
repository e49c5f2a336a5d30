"""One request, one answer: what the confined ingest process says. No value, no count and no place of a row is in it.

request   {"dataset": canonical JSON text of the Dataset document, "secret": 64 hexadecimal digits}
answer    {"ok": true, "snapshot": id} or {"ok": false, "code": ..., "params": {...}}
"""

import json
from pathlib import Path

from policies.catalogue import dataset_from_json
from policies.dataset import Dataset
from policies.refusals import Refused
from sandbox.worker.ingest.canonical import SECRET_BYTES
from sandbox.worker.ingest.ingest import ingest
from sandbox.worker.ingest.refused import Code, IngestRefused

REQUEST_BYTES_MAX = 4 << 20


def serve_ingest(request: bytes, source_folder: Path, output_folder: Path) -> bytes:
    """Do what the request asks and say how it went; the details are in the holder's report."""
    try:
        dataset, secret = _decoded(request)
        result = ingest(dataset, source_folder, output_folder, secret)
    except IngestRefused as refusal:
        return _refusal(refusal.code, refusal.params)
    except MemoryError:
        raise  # the process tells its runtime by how it ends
    except Exception:
        # The words of an unexpected error may quote a cell; the report names its kind and line.
        return _refusal(Code.FAILED, {})
    return json.dumps({"ok": True, "snapshot": result.catalogue.snapshot_id}).encode()


def _decoded(request: bytes) -> tuple[Dataset, bytes]:
    if len(request) > REQUEST_BYTES_MAX:
        raise IngestRefused(Code.REQUEST_INVALID, problem="is too large")
    try:
        fields = json.loads(request)
        if not isinstance(fields, dict) or set(fields) != {"dataset", "secret"}:
            raise ValueError("fields")
        document, secret = fields["dataset"].encode(), bytes.fromhex(fields["secret"])
        if len(secret) != SECRET_BYTES:
            raise ValueError("secret")
        return dataset_from_json(document), secret
    except Refused as refused:
        raise IngestRefused(
            Code.DECLARATION_UNUSABLE,
            field=refused.params.get("field", "dataset"),
            problem=refused.params.get("problem", refused.code),
        ) from None
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise IngestRefused(Code.REQUEST_INVALID, problem="is not a request") from None


def _refusal(code: Code, params: dict[str, str]) -> bytes:
    told = {"ok": False, "code": code.value, "params": params}
    return json.dumps(told, ensure_ascii=False).encode()
