"""Cell analysis: text and a namespace in, a plan out."""
