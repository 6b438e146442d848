"""From Instagram to BigQuery: the operators that one Dag run is made of."""
