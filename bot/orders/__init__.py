"""From what somebody asks for to a job in which nothing is undecided: read, resolved, admitted or refused."""
