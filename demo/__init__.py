"""A GLM provider that is simulated on this machine, for trying the gateway without a key."""
