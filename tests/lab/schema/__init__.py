"""What every call takes and needs: one table (`calls/*.txt`), and the verification that it drives."""
