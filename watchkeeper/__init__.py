"""watchkeeper: scheduled probes, rules on what they find, and exactly one ticket per trouble."""

__version__ = "0.1.0"
