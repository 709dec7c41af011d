"""The language Ochaq's services share: events, bus, outbox, identity, problems, telemetry, settings, health."""
