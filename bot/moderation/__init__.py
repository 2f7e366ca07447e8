"""What a server wants and does not want: its policy, the checks, the log and the buttons of its moderators."""
