"""A question that was accepted and has no answer."""

from policies.refusals import Refused


class Unanswered(Exception):
    """The run failed. `loss_spent` is what stays spent, as a decimal; the reason stays inside the domain."""

    def __init__(self, operation: str, refused: Refused, loss_spent: str) -> None:
        self.operation = operation
        self.refused = refused
        self.loss_spent = loss_spent
        super().__init__(str(refused))
