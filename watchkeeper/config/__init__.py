"""YAML files into validated models and domain objects. Every error says its file, line and column."""
