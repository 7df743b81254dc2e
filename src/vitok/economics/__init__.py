"""Money: what decisions are worth by the charter's costs."""
