"""Tests: unit, contract, integration and acceptance, and the fakes they share."""
