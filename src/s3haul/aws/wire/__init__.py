"""The wire transport: own signatures, own connection pool, strict answers. Entry: `store.WireStore`."""
