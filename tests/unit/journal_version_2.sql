-- A journal as s3haul wrote it before version 3, dumped.
BEGIN TRANSACTION;
CREATE TABLE blocks (temporary TEXT NOT NULL, start INTEGER NOT NULL, size INTEGER NOT NULL,
    crc BLOB NOT NULL, PRIMARY KEY (temporary, start)) WITHOUT ROWID;
INSERT INTO "blocks" VALUES('t-1',0,1048576,X'FFFFFFFFFFFFFFFF');
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "meta" VALUES('base','base/');
INSERT INTO "meta" VALUES('bucket','bucket');
INSERT INTO "meta" VALUES('created','1700000100.25');
INSERT INTO "meta" VALUES('endpoint','https://s3.example');
CREATE TABLE objects (
    key TEXT PRIMARY KEY, size INTEGER NOT NULL, etag TEXT NOT NULL, last_modified REAL NOT NULL,
    storage_class TEXT NOT NULL, version_id TEXT, state TEXT NOT NULL, path TEXT, reason TEXT, detail TEXT,
    verdict TEXT, algorithm TEXT, checksum_type TEXT, checksum TEXT, part_sizes TEXT NOT NULL,
    computed TEXT NOT NULL, sse TEXT NOT NULL, kms_key_id TEXT NOT NULL, attempts INTEGER NOT NULL,
    fetched INTEGER NOT NULL, run INTEGER NOT NULL, updated REAL NOT NULL,
    listed INTEGER NOT NULL, crc INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "objects" VALUES('base/a',9,'"16f256371626"',1700000000.5,'STANDARD',NULL,'done','a',NULL,NULL,'verified','CRC64NVME','FULL_OBJECT','rosUhgp5mIg=','','','aws:kms','arn:aws:kms:eu-central-1:111122223333:key/1',1,9,1,1700000100.25,1,3026666899);
INSERT INTO "objects" VALUES('base/a/b',9,'"26f216f256371626"',1700000000.5,'STANDARD','v1','done','a/b',NULL,NULL,'verified','CRC64NVME','FULL_OBJECT','rosUhgp5mIg=','','','aws:kms','',3,27,1,1700000100.25,1,3308468270);
INSERT INTO "objects" VALUES('base/composite',25,'"56479637f607d6f636f256371626"',1700000000.5,'STANDARD',NULL,'done','composite',NULL,NULL,'verified','CRC32','COMPOSITE','AAAAAA==-3','10x2,5x1','','aws:kms','',1,25,1,1700000100.25,1,3025316404);
INSERT INTO "objects" VALUES('base/dir/',0,'"f2279646f256371626"',1700000000.5,'STANDARD',NULL,'done','dir',NULL,NULL,'verified','CRC64NVME','FULL_OBJECT','rosUhgp5mIg=','','','aws:kms','',1,0,1,1700000100.25,1,722454109);
INSERT INTO "objects" VALUES('base/failed',9,'"4656c6961666f256371626"',1700000000.5,'STANDARD',NULL,'failed',NULL,'access-denied','AccessDenied: ''no''
not you',NULL,NULL,NULL,NULL,'','','','',5,0,1,1700000100.25,1,4281517821);
INSERT INTO "objects" VALUES('base/gone',9,'"56e6f676f256371626"',1700000000.5,'STANDARD',NULL,'done','gone',NULL,NULL,'verified','CRC64NVME','FULL_OBJECT','rosUhgp5mIg=','','','aws:kms','',1,0,1,1700000100.25,0,204464162);
INSERT INTO "objects" VALUES('base/old',1,'"46c6f6f256371626"',1700000000.5,'GLACIER',NULL,'skipped','old','archived',NULL,NULL,NULL,NULL,NULL,'','','','',1,0,1,1700000100.25,1,1791475433);
INSERT INTO "objects" VALUES('base/shadow',9,'"77f646168637f256371626"',1700000000.5,'STANDARD',NULL,'done','~s3haul~@shadow',NULL,NULL,'verified','CRC64NVME','FULL_OBJECT','rosUhgp5mIg=','','','aws:kms','',1,0,1,1700000100.25,1,2982455584);
INSERT INTO "objects" VALUES('base/é😀',9,'"0889f90f9a3cf256371626"',1700000000.5,'STANDARD',NULL,'done','é😀','no-checksum','S3 stores none','size-only',NULL,NULL,NULL,'','AAAAAAAAAAA=','','',1,0,1,1700000100.25,1,4128399376);
CREATE TABLE partials (temporary TEXT PRIMARY KEY, key TEXT NOT NULL, etag TEXT NOT NULL,
    size INTEGER NOT NULL, algorithm TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "partials" VALUES('t-1','base/large','"etag"',3145728,'CRC64NVME');
CREATE TABLE runs (number INTEGER PRIMARY KEY, started REAL NOT NULL, ended REAL, exit_code INTEGER,
    complete INTEGER NOT NULL DEFAULT 0, listed INTEGER, listed_bytes INTEGER);
INSERT INTO "runs" VALUES(1,1700000100.25,1700000100.25,1,1,8,98);
PRAGMA application_id=1932740705;
PRAGMA user_version=2;
COMMIT;
