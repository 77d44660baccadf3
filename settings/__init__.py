"""What all configs share: bounds and roles beside their fields, and their way to JSON and back."""

from settings.fields import Checked, Role, Seed, Within, names_with
from settings.serialization import flat, from_json, to_json

__all__ = ["Checked", "Role", "Seed", "Within", "flat", "from_json", "names_with", "to_json"]
