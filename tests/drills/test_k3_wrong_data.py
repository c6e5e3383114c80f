"""K3: "my data looks wrong".

Users      nothing.
Detection  `patronctl verify CUSTOMER_ID`: lines in the source, in combined_sales, facts and population, side by side; exit 1
           and the place where they differ.
Recovery   the next sync brings what the source has, also where the table itself was changed.
"""
import json

import pytest

from lib.drill import elapsed, reads, seen
from lib.patrond import serving
from lib.sales import Table, line, shop, write

pytestmark = pytest.mark.drill

WHO = 7
PLACES = ("source", "combined_sales", "facts", "population")


@pytest.fixture(scope="module")
def served(postgres_server, tmp_path_factory):
    postgres_server.ensure()
    directory = tmp_path_factory.mktemp("k3")
    rows = shop(200) + [line(1, WHO, "2024-05-01", "10.00", sku="A"), line(2, WHO, "2024-06-01", "5.50", sku="B")]
    source = write(directory / "sales.csv", rows)
    with serving(directory / "i", {"DATABASE_URL": postgres_server.create_database(), "SYNC_SOURCE": f"csv:{source}",
                                   "AS_OF_DATE": "2025-01-01"}) as instance:
        instance.source, instance.rows = source, rows
        yield instance


def in_the_source(p, table):
    write(p.source, p.rows + [line(3, WHO, "2024-07-01", "3.00", sku="NEW")])


def in_combined_sales(p, table):
    table.rows("UPDATE combined_sales SET line_item_sales = 99 WHERE order_id = 2 AND customer_id = %s", WHO)


def in_the_facts(p, table):
    table.rows("UPDATE customer_facts SET orders = 40 WHERE customer_id = %s", WHO)


def in_the_source_too(p, table):
    write(p.source, p.rows)


# The place that is made to differ: how, what is told of it, and what makes the next sync mend it.
PLANTED = {
    "source": (in_the_source, ["! gross_sales", "only in the source"], None),
    "combined_sales": (in_combined_sales, ["! gross_sales", "only in the source", "only in combined_sales"], None),
    "facts": (in_the_facts, ["! orders"], in_the_source_too),  # facts follow from the lines of who has others
}


def verify(p):
    answer, text = p.ctl("verify", str(WHO), "--json"), p.ctl("verify", str(WHO))
    assert text.returncode == answer.returncode, (text, answer)
    return answer.returncode, json.loads(answer.stdout), text.stdout


def test_side_by_side(served, record_property):
    (status, said, text), took = elapsed(verify, served)
    assert status == 0 and said["agree"] and "all agree" in text
    assert {said[place]["net_sales"] for place in PLACES} == {15.5} and {said[place]["orders"] for place in PLACES} == {2}
    assert all(place in text for place in PLACES)
    seen(record_property, "four places agree: 2 orders, 15.50 net", took / 2)


@pytest.mark.parametrize("place", PLANTED)
def test_a_planted_difference_is_found_and_mended(served, place, record_property):
    plant, words, change = PLANTED[place]
    p, table = served, Table(served.settings["DATABASE_URL"])
    with reads(p, clients=2) as load:
        plant(p, table)
        status, said, text = verify(p)
        assert status == 1 and not said["agree"] and all(w in text for w in words), text
        sums = {o: (said[o]["orders"], said[o]["net_sales"]) for o in PLACES}
        assert len({v for o, v in sums.items() if o != place}) == 1 and sums[place] not in [sums[o] for o in PLACES if o != place], text
        if change:
            change(p, table)
        run, took = elapsed(p.sync)
        assert run["status"] == "success"
        p.wait_data(table.version())
        status, said, text = verify(p)
        assert status == 0 and said["agree"], text
    seen(record_property, f"{place}: the difference named, gone after a sync; {load.good} requests, none failed", took)
