"""What the scripts of this folder have in common: they read names of features from
their standard input, and print a line of facts (see facts_test.go) for each."""

import json
import sys
import traceback


def serve(features, sdk):
    run = {f.__name__: f for f in features}
    for line in sys.stdin:
        try:
            facts = run[line.strip()]()
        except Exception:
            facts = {"failure": traceback.format_exc()}
        print(json.dumps(facts | {"sdk": sdk}), flush=True)


def joined(stream, piece):
    """Joins a stream: piece(out, event) adds what one event tells."""
    out = {"ids": [], "model": "", "text": "", "thinking": "", "finish": "", "usage": None, "tools": [], "chunks": 0}
    for event in stream:
        out["chunks"] += 1
        piece(out, event)
    return out
