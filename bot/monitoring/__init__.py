"""Health, readiness and metrics of the running bot, over HTTP on this machine."""
