"""Speed: of episodes, of decoding and of Qwen2.5-VL, against something measured in the same run."""
