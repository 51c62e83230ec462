"""What the daemon shows over HTTP: metrics, health, and the switch to read the configuration again."""
