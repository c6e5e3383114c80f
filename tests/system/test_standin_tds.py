"""The stand-in of SQL Server, held against clients that are not ours: tsql and bsqldb, pymssql (both FreeTDS), python3-tds."""
import datetime
import decimal

import pymssql
import pytds
import pytest

from lib.sales import line
from lib.tds import SqlServer


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    with SqlServer(tmp_path_factory.mktemp("tds"), encryption="off") as server:
        yield server


def by_pymssql(source, sql, *parameters):
    connection = pymssql.connect(server=source.host, port=source.port, user=source.user, password=source.password,
                                 database=source.database, tds_version="7.3", autocommit=True)
    try:
        cursor = connection.cursor()
        cursor.execute(sql, parameters or None)
        return cursor.fetchall()
    finally:
        connection.close()


def by_pytds(source, sql, *parameters):
    with pytds.connect(source.host, source.database, source.user, source.password, port=source.port) as connection:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall()


@pytest.mark.parametrize("client", [by_pymssql, by_pytds])
def test_rows_come_out_as_they_went_in(source, client):
    source.rows = [line(1002, None, "2024-01-02", product_name="Ünï 🧵"), line(1001, 7, "2024-01-01", sales="12.34")]
    assert client(source, "SELECT order_id, customer_id, order_date, product_name, line_item_sales FROM vw_Combined_Sales"
                          " ORDER BY order_date, order_id") == [
        (1001, 7, datetime.date(2024, 1, 1), None, decimal.Decimal("12.34")),
        (1002, None, datetime.date(2024, 1, 2), "Ünï 🧵", decimal.Decimal("10.00"))]
