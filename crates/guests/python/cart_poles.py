"""CartPole of Gymnasium with random physics: the length and the mass of the pole, and the mass of the cart, differ from task to task."""

from metastable_environment import Tasks, serve  # first: from here on, print() goes to stderr

import gymnasium


class CartPoles(Tasks):
    observed, actions, names = 4, "discrete-2", ("length", "masspole", "masscart")

    def start(self, settings, horizon):
        self.spread = float(settings.get("spread", 1.0))

    def draw(self, rng):
        # Around Gymnasium's own: half as much to twice as much, with a spread of 1.
        factors = 2.0 ** (self.spread * rng.uniform(-1.0, 1.0, 3))
        return 0.5 * factors[0], 0.1 * factors[1], 1.0 * factors[2]

    def make(self, task):
        env = gymnasium.make("CartPole-v1")
        cart = env.unwrapped
        cart.length, cart.masspole, cart.masscart = task
        cart.polemass_length = cart.masspole * cart.length
        cart.total_mass = cart.masspole + cart.masscart
        return env


serve(CartPoles())
