"""The demo corpus: invented news with labels by hand, and recorded answers of a teacher."""
