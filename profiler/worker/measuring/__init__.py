"""The timed part: runners, drivers of scenarios, rounds."""
