"""The vocabulary of the YAML files, shared by the configuration, the probers and the backends."""
