-- A journal as s3haul wrote it in version 4 (converted from version 3), dumped.
BEGIN TRANSACTION;
CREATE TABLE blocks (temporary TEXT NOT NULL, start INTEGER NOT NULL, size INTEGER NOT NULL,
    crc BLOB NOT NULL, PRIMARY KEY (temporary, start)) WITHOUT ROWID;
INSERT INTO "blocks" VALUES('t-1',0,1048576,X'FFFFFFFFFFFFFFFF');
CREATE TABLE kinds (
    number INTEGER PRIMARY KEY, state TEXT NOT NULL, reason TEXT, verdict TEXT, algorithm TEXT,
    checksum_type TEXT, storage_class TEXT NOT NULL, sse TEXT NOT NULL, kms_key_id TEXT NOT NULL
, content_type TEXT NOT NULL DEFAULT '');
INSERT INTO "kinds" VALUES(1,'done',NULL,'verified','CRC64NVME','FULL_OBJECT','STANDARD','aws:kms','arn:aws:kms:eu-central-1:111122223333:key/1','');
INSERT INTO "kinds" VALUES(2,'done',NULL,'verified','CRC64NVME','FULL_OBJECT','STANDARD','aws:kms','','');
INSERT INTO "kinds" VALUES(3,'done',NULL,'verified','CRC32','COMPOSITE','STANDARD','aws:kms','','');
INSERT INTO "kinds" VALUES(4,'failed','access-denied',NULL,NULL,NULL,'STANDARD','','','');
INSERT INTO "kinds" VALUES(5,'skipped','archived',NULL,NULL,NULL,'GLACIER','','','');
INSERT INTO "kinds" VALUES(6,'done','no-checksum','size-only',NULL,NULL,'STANDARD','','','');
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "meta" VALUES('base','base/');
INSERT INTO "meta" VALUES('bucket','bucket');
INSERT INTO "meta" VALUES('created','1700000100.0');
INSERT INTO "meta" VALUES('endpoint','https://s3.example');
CREATE TABLE objects (
    key TEXT PRIMARY KEY, etag TEXT NOT NULL, path TEXT NOT NULL, checksum TEXT NOT NULL,
    version_id TEXT NOT NULL, detail TEXT NOT NULL, part_sizes TEXT NOT NULL, computed TEXT NOT NULL,
    size INTEGER NOT NULL, last_modified REAL NOT NULL, kind INTEGER NOT NULL, attempts INTEGER NOT NULL,
    fetched INTEGER NOT NULL, run INTEGER NOT NULL, updated REAL NOT NULL,
    listed INTEGER NOT NULL, crc INTEGER NOT NULL
, user_metadata TEXT NOT NULL DEFAULT '') WITHOUT ROWID;
INSERT INTO "objects" VALUES('base/a','"16f256371626"','','rosUhgp5mIg=','','','','',9,1700000000.5,1,1,9,1,1700000100.0,1,3840598472,'');
INSERT INTO "objects" VALUES('base/a/b','"26f216f256371626"','','rosUhgp5mIg=','v1','','','',9,1700000000.5,2,3,27,1,1700000100.0,1,3951544766,'');
INSERT INTO "objects" VALUES('base/composite','"56479637f607d6f636f256371626"','','AAAAAA==-3','','','10x2,5x1','',25,1700000000.5,3,1,25,1,1700000100.0,1,3128345935,'');
INSERT INTO "objects" VALUES('base/dir/','"f2279646f256371626"','dir','rosUhgp5mIg=','','','','',0,1700000000.5,2,1,0,1,1700000100.0,1,3580668845,'');
INSERT INTO "objects" VALUES('base/failed','"4656c6961666f256371626"','/','','','AccessDenied: ''no''
not you','','',9,1700000000.5,4,5,0,1,1700000100.0,1,2708342848,'');
INSERT INTO "objects" VALUES('base/gone','"56e6f676f256371626"','','rosUhgp5mIg=','','','','',9,1700000000.5,2,1,0,1,1700000100.0,0,1225161184,'');
INSERT INTO "objects" VALUES('base/old','"46c6f6f256371626"','','','','','','',1,1700000000.5,5,1,0,1,1700000100.0,1,352884437,'');
INSERT INTO "objects" VALUES('base/shadow','"77f646168637f256371626"','~s3haul~@shadow','rosUhgp5mIg=','','','','',9,1700000000.5,2,1,0,1,1700000100.0,1,930317548,'');
INSERT INTO "objects" VALUES('base/é😀','"0889f90f9a3cf256371626"','','','','S3 stores none','','AAAAAAAAAAA=',9,1700000000.5,6,1,0,1,1700000100.0,1,1057474946,'');
CREATE TABLE partials (temporary TEXT PRIMARY KEY, key TEXT NOT NULL, etag TEXT NOT NULL,
    size INTEGER NOT NULL, algorithm TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "partials" VALUES('t-1','base/large','"etag"',3145728,'CRC64NVME');
CREATE TABLE prefix_times (run INTEGER NOT NULL, prefix TEXT NOT NULL, objects INTEGER NOT NULL,
    bytes INTEGER NOT NULL, seconds REAL NOT NULL, PRIMARY KEY (run, prefix)) WITHOUT ROWID;
CREATE TABLE retries (run INTEGER NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (run, reason)) WITHOUT ROWID;
CREATE TABLE runs (number INTEGER PRIMARY KEY, started REAL NOT NULL, ended REAL, exit_code INTEGER,
    complete INTEGER NOT NULL DEFAULT 0, listed INTEGER, listed_bytes INTEGER);
INSERT INTO "runs" VALUES(1,1700000100.25,1700000100.25,1,1,8,72);
CREATE TABLE samples (run INTEGER NOT NULL, start REAL NOT NULL, seconds REAL NOT NULL, bytes INTEGER NOT NULL,
    objects INTEGER NOT NULL, listed INTEGER NOT NULL, request_limit INTEGER NOT NULL,
    retries INTEGER NOT NULL, throttles INTEGER NOT NULL, renewals INTEGER NOT NULL, first_byte REAL,
    first_byte_high REAL, PRIMARY KEY (run, start)) WITHOUT ROWID;
CREATE TABLE slow_objects (run INTEGER NOT NULL, seconds REAL NOT NULL, key TEXT NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (run, key)) WITHOUT ROWID;
COMMIT;
PRAGMA application_id=1932740705;
PRAGMA user_version=4;
