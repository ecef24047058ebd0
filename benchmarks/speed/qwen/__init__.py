"""Speed of playing and learning with Qwen2.5-VL."""
