/** Adds the health endpoints and the routes to an Express application (4 or 5). */
export function addRoutes(app, { probe, pool }) {
  app.get('/health/:check', probe.handler);

  app.use((req, res, next) => {
    if (probe.ready) return next();
    res.status(503).set('retry-after', '5').json({ error: 'starting', phase: probe.phase });
  });

  app.get('/patients', async (req, res, next) => {
    try {
      const { rows } = await pool.query('select id, name, documents from patient_overview order by name limit 100');
      res.json(rows);
    } catch (error) {
      next(error);
    }
  });
}
