"""The providers: one folder each; they import hub and know nothing of one another."""
