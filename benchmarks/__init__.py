"""Speed and memory as ratios, always measured side by side in one run; never absolute times, and never in a test."""
