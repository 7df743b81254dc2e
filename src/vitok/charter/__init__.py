"""The charter: `vitok.yaml` as frozen objects, its expressions, its contradictions."""
