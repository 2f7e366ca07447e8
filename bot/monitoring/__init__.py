"""What operators see of the running bot: health, readiness and figures, over HTTP on this machine."""
