"""From a request to a job in which everything is decided: parsed, resolved, admitted or refused."""
