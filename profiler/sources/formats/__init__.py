"""One module for each kind of source: ONNX, PyTorch, scikit-learn, Hugging Face."""
