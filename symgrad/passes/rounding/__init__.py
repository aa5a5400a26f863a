"""Forms that lose fewer digits, for computing only: what is shown stays plain."""
