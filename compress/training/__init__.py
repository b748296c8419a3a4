"""How models learn: one training loop for teachers, students and recovery, and the objective of distillation."""
