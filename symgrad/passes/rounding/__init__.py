"""Forms that lose fewer digits to rounding, or none to overflow, for computing only: what is shown stays plain."""
