"""The law: verdicts, policies, and the rules of the data, model and service gates. Pure functions only."""
