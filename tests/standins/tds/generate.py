"""Rows of a plausible shop, many and quickly; the same for the same numbers. Like values share one object."""
import datetime
import decimal
import random

from .store import COLUMNS, Row
from .values import DAY, SECOND

MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
CATEGORIES = ["Fabric", "Thread", "Buttons", "Patterns", "Needles", "Wool", "Ribbons", "Scissors", "Kits", "Books", "Lamps", None]
VARIANTS = ["White", "Natural", "Rouge foncé", "Bleu nuit", "30 × 40 cm", "Größe M", "5 pcs.", "刺繍 red", "🧵 gift", None]


def generate(columns, lines, start="2022-01-01", days=1095, customers=None, seed=1, first_order=5_000_000_000):
    """So many lines in orders of one to four, a tenth of them guests'."""
    if list(columns) != COLUMNS:
        raise ValueError("the columns have been changed")
    dice, rows, order = random.Random(seed), [], first_order
    first = datetime.date.fromisoformat(start).toordinal() - 1
    dates = [_date(first + i) for i in range(days)]
    products = [_product(dice, i) for i in range(500)]
    people = [7_000_000_000_000 + i for i in range(customers or max(lines // 12, 1))]
    places = [(round(dice.uniform(-60, 70), 6), round(dice.uniform(-180, 180), 6)) for _ in range(1000)]
    quantities, refunds = list(range(20)), _cents(dice, 200, 5000)
    zero, channels = decimal.Decimal("0.00"), ["web"] * 7 + ["app", "app", "marketplace"]
    while len(rows) < lines:
        order += 1
        date = dates[min(len(rows) * days // lines, days - 1)]
        customer = dice.choice(people) if dice.random() >= 0.1 else None
        created = date[0] * DAY + dice.randrange(86400) * SECOND + dice.randrange(SECOND)
        channel, place = dice.choice(channels), dice.choice(places)
        n = min(dice.randint(1, 4), lines - len(rows))
        chosen = [(dice.choice(products), dice.choice(quantities[1:6])) for _ in range(n)]
        total = sum((p[-1] * q for p, q in chosen), zero)
        for product, quantity in chosen:
            refunded = dice.random() < 0.07
            rows.append(Row((order, order - 4_000_000_000, customer, date[0], created, *date[1:], *product[:-1], quantity,
                             product[-1] * quantity, zero, dice.choice(refunds) if refunded else zero, "EUR", channel, *place,
                             "fulfilled", "partially_refunded" if refunded else "paid", total, quantities[n])))
    return rows


def _date(day):
    d = datetime.date.fromordinal(day + 1)
    return (day, d.year, (d.month + 2) // 3, d.month, MONTHS[d.month - 1], d.isocalendar()[1], d.day, WEEKDAYS[d.weekday()])


def _product(dice, i):
    category = dice.choice(CATEGORIES)
    name = f"{category or 'Something'} No. {i}, {dice.choice(['plain', 'fine', 'heavy'])}"
    return (f"SKU-{i:05d}", 9_000_000_000 + i, name, dice.choice(VARIANTS), category, category,
            decimal.Decimal(dice.randrange(100, 9000)).scaleb(-2))


def _cents(dice, n, most):
    return [decimal.Decimal(dice.randrange(1, most)).scaleb(-2) for _ in range(n)]
