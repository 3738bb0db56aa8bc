"""What must hold in the shop's tables at any time; each check gives the rows that break it.

Sums are compared with their parts here; statuses, which are functions of facts, in hub.shop.verify.
"""

CHECKS: tuple[tuple[str, str], ...] = (
    (
        "a stock's reserved is the sum of its reservations",
        """
        SELECT s.variant_id, s.location_id, s.reserved, coalesce(sum(r.qty), 0) AS held
          FROM stock s LEFT JOIN reservations r
            ON r.variant_id = s.variant_id AND r.location_id = s.location_id
           AND r.state IN ('held', 'committed')
         GROUP BY s.variant_id, s.location_id, s.reserved
        HAVING s.reserved <> coalesce(sum(r.qty), 0)
        """,
    ),
    (
        "a stock is the sum of its movements",
        """
        SELECT s.variant_id, s.location_id, s.on_hand, s.reserved,
               coalesce(sum(m.delta_on_hand), 0) AS moved,
               coalesce(sum(m.delta_reserved), 0) AS moved_reserved
          FROM stock s LEFT JOIN stock_movements m
            ON m.variant_id = s.variant_id AND m.location_id = s.location_id
         GROUP BY s.variant_id, s.location_id, s.on_hand, s.reserved
        HAVING s.on_hand <> coalesce(sum(m.delta_on_hand), 0)
            OR s.reserved <> coalesce(sum(m.delta_reserved), 0)
        """,
    ),
    (
        "a line's total is its price, less its discount, with its tax or without",
        """
        SELECT id, order_id, total FROM order_lines
         WHERE total NOT IN (qty * unit_price - discount, qty * unit_price - discount + tax)
        """,
    ),
    (
        "an order's totals are the sums of its lines and its shipping",
        """
        SELECT o.id, o.total, o.items, o.discount, o.tax
          FROM orders o LEFT JOIN order_lines l ON l.order_id = o.id
         GROUP BY o.id, o.total, o.items, o.discount, o.tax, o.shipping, o.shipping_tax,
                  o.prices_include_tax
        HAVING o.total <> coalesce(sum(l.total), 0) + o.shipping
                          + CASE WHEN o.prices_include_tax = 1 THEN 0 ELSE o.shipping_tax END
            OR o.items <> coalesce(sum(l.qty * l.unit_price), 0)
            OR o.discount <> coalesce(sum(l.discount), 0)
            OR o.tax <> coalesce(sum(l.tax), 0) + o.shipping_tax
        """,
    ),
    (
        "an order's taxes are the sum of its tax lines, where it has any",
        """
        SELECT o.id, o.tax, sum(t.amount) AS told
          FROM orders o JOIN tax_lines t ON t.order_id = o.id
         GROUP BY o.id, o.tax HAVING o.tax <> sum(t.amount)
        """,
    ),
    (
        "an order's shipping is one of its adjustments",
        """
        SELECT o.id, o.shipping FROM orders o WHERE o.external_ref IS NULL
           AND o.lifecycle <> 'draft'
           AND o.shipping <> coalesce((SELECT sum(a.amount) FROM order_adjustments a
                                        WHERE a.order_id = o.id AND a.kind = 'shipping'), 0)
        """,
    ),
    (
        "no more of a line is sent than was ordered, and no more comes back than was sent",
        """
        SELECT id, order_id, qty, qty_fulfilled, qty_returned FROM order_lines
         WHERE qty_fulfilled > qty OR qty_returned > qty_fulfilled OR qty_returned < 0 OR qty < 0
        """,
    ),
    (
        "what a line has sent is the sum of its fulfilments",
        """
        SELECT l.id, l.qty_fulfilled, coalesce(sum(f.qty), 0) AS sent
          FROM order_lines l
          LEFT JOIN (SELECT x.order_line_id, x.qty FROM fulfilment_lines x
                       JOIN fulfilments y ON y.id = x.fulfilment_id
                      WHERE y.state IN ('shipped', 'delivered', 'returned')) f
            ON f.order_line_id = l.id
         GROUP BY l.id, l.qty_fulfilled HAVING l.qty_fulfilled <> coalesce(sum(f.qty), 0)
        """,
    ),
    (
        "an order that has ended holds no stock",
        """
        SELECT r.order_id, r.variant_id, r.qty
          FROM reservations r JOIN orders o ON o.id = r.order_id
         WHERE r.state IN ('held', 'committed') AND o.lifecycle IN ('expired', 'cancelled', 'draft')
        """,
    ),
    (
        "a placed order's stock is kept for good",
        """
        SELECT r.order_id, r.variant_id FROM reservations r JOIN orders o ON o.id = r.order_id
         WHERE r.state = 'held' AND o.lifecycle = 'placed'
        """,
    ),
    (
        "a promotion is used as often as orders use it",
        """
        SELECT p.id, p.code, p.used, count(u.order_id) AS uses
          FROM promotions p LEFT JOIN promotion_uses u ON u.promotion_id = p.id AND u.state = 'used'
         GROUP BY p.id, p.code, p.used HAVING p.used <> count(u.order_id)
        """,
    ),
    (
        "an order that has ended uses no promotion",
        """
        SELECT u.promotion_id, u.order_id FROM promotion_uses u JOIN orders o ON o.id = u.order_id
         WHERE u.state = 'used' AND o.lifecycle IN ('expired', 'cancelled')
        """,
    ),
    (
        "a dispute has its payment, and its facts",
        """
        SELECT d.id, d.payment_id FROM disputes d WHERE NOT EXISTS
               (SELECT 1 FROM payment_facts f WHERE f.payment_id = d.payment_id
                   AND f.fact IN ('dispute_opened', 'dispute_changed', 'dispute_closed'))
        """,
    ),
    (
        "what was asked of a payment has its job, live or ended",
        """
        SELECT f.payment_id, f.fact, f.provider_ref FROM payment_facts f
         WHERE f.fact IN ('capture_requested', 'cancel_requested') AND f.provider_ref LIKE 'job_%'
           AND f.recorded_at >= coalesce((SELECT until FROM horizons WHERE name = 'jobs'), 0)
           AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.uid = f.provider_ref)
           AND NOT EXISTS (SELECT 1 FROM job_history h WHERE h.uid = f.provider_ref)
        """,
    ),
    (
        "an order's money is that of its payments that count",
        """
        SELECT o.id, o.authorized, o.captured, o.refunded, o.charged_back
          FROM orders o LEFT JOIN payments p ON p.order_id = o.id AND p.counts = 1
         GROUP BY o.id, o.authorized, o.captured, o.refunded, o.charged_back
        HAVING o.authorized <> coalesce(sum(p.authorized), 0)
            OR o.captured <> coalesce(sum(p.captured), 0)
            OR o.refunded <> coalesce(sum(p.refunded), 0)
            OR o.charged_back <> coalesce(sum(p.charged_back), 0)
        """,
    ),
    (
        "a cart has one order, and an order one cart",
        """
        SELECT c.id, c.order_id FROM carts c LEFT JOIN orders o ON o.id = c.order_id
         WHERE (c.state = 'completed') <> (c.order_id IS NOT NULL)
            OR (c.order_id IS NOT NULL AND o.id IS NULL)
         UNION ALL
        SELECT min(c.id), c.order_id FROM carts c
         WHERE c.order_id IS NOT NULL GROUP BY c.order_id HAVING count(*) > 1
        """,
    ),
    (
        "a held order has an open case, and only a held order has reasons",
        """
        SELECT o.id, o.lifecycle, o.hold_reasons FROM orders o
         WHERE (o.lifecycle = 'on_hold' AND o.hold_reasons = '[]')
            OR (o.lifecycle IN ('placed', 'pending_payment') AND o.hold_reasons <> '[]')
        """,
    ),
    (
        "an aggregate's events are numbered 1, 2, 3 … without gaps",
        """
        SELECT aggregate_type, aggregate_id, count(*) AS events, min(sequence) AS first,
               max(sequence) AS last
          FROM events WHERE sequence IS NOT NULL
           AND recorded_at >= coalesce((SELECT until FROM horizons WHERE name = 'events'), 0)
         GROUP BY aggregate_type, aggregate_id
        HAVING count(*) <> max(sequence) - min(sequence) + 1
            OR count(DISTINCT sequence) <> count(*)
            OR (min(sequence) <> 1 AND NOT EXISTS (SELECT 1 FROM horizons WHERE name = 'events'))
        """,
    ),
    (
        "an order's sequence is that of its last event",
        """
        SELECT o.id, o.sequence, max(e.sequence) AS last
          FROM orders o LEFT JOIN events e
            ON e.aggregate_type = 'order' AND e.aggregate_id = o.id
         GROUP BY o.id, o.sequence
        HAVING o.sequence <> coalesce(max(e.sequence), 0)
           AND coalesce(max(e.recorded_at), 0)
            >= coalesce((SELECT until FROM horizons WHERE name = 'events'), 0)
        """,
    ),
    (
        "a payment's facts are of its connector",
        """
        SELECT f.n, f.payment_id FROM payment_facts f LEFT JOIN payments p ON p.id = f.payment_id
         WHERE p.id IS NULL OR p.connector <> f.connector OR p.merged_into IS NOT NULL
        """,
    ),
    (
        "a payment's name leads to it",
        """
        SELECT p.id, p.connector, p.provider_ref FROM payments p LEFT JOIN payment_refs r
            ON r.connector = p.connector AND r.provider_ref = p.provider_ref
         WHERE p.provider_ref IS NOT NULL AND (r.payment_id IS NULL OR r.payment_id <> p.id)
        """,
    ),
    (
        "a refund that was asked for has its job, live or ended",
        """
        SELECT r.id, r.job FROM refunds r
         WHERE r.source = 'hub' AND r.state IN ('requested', 'pending')
           AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.uid = r.job)
           AND NOT EXISTS (SELECT 1 FROM job_history h WHERE h.uid = r.job)
        """,
    ),
)
"""What must hold, in words → the rows for which it does not."""
