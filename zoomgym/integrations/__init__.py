"""Plugs for trainers and evaluators of others, each an extra. Nothing else imports them."""
