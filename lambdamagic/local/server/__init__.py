"""What any server needs: HTTP, signatures, errors in AWS's words, folders, and an owner to end with."""
