"""The study behind `profiler demo`: scikit-learn's digits and four small models trained on them."""
