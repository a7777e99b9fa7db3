-- A store as version 3 left it: killed with tasks in every status. A daemon made it, with
-- videos on a site at http://127.0.0.1:34185 and a robot named "team"; this is its dump, the next attempt put off to 2096.
BEGIN TRANSACTION;
CREATE TABLE artifact (
    task_id TEXT NOT NULL REFERENCES task (id) ON DELETE CASCADE,
    name    TEXT NOT NULL,                           -- field of core.task.Artifacts
    data    TEXT NOT NULL,                           -- JSON
    made_at REAL NOT NULL,
    PRIMARY KEY (task_id, name)
) STRICT;
INSERT INTO "artifact" VALUES('01m8948vaeq4jt8s1yqszfhr14','media','{"extractor":"Generic","media_id":"story-0","title":"早安 Morning","author":null,"duration_s":null,"page_url":"http://127.0.0.1:34185/story-0.wav"}',1.79560280549943661687e+09);
INSERT INTO "artifact" VALUES('01m8948vaeq4jt8s1yqszfhr14','file','{"name":"media.wav","size_bytes":259884}',1.79560280562172579765e+09);
INSERT INTO "artifact" VALUES('01m8948vaeq4jt8s1yqszfhr14','audio','{"name":"audio.s16le","duration_s":8.12}',1.79560280565401220315e+09);
INSERT INTO "artifact" VALUES('01m8948vaeq4jt8s1yqszfhr14','transcript','{"language":"en","source":"asr","model":"demo","device":"cpu","duration_s":8.12,"segment_count":3}',1.79560280637997817998e+09);
INSERT INTO "artifact" VALUES('01m8948vaeq4jt8s1yqszfhr14','proofread','{"paragraphs":[{"start":0.62,"end":7.54,"text":"Can we repair the window from the doctor? The red ship is from the warm signal. Please move the warm engine."}],"by":"offline"}',1.79560280641337776186e+09);
INSERT INTO "artifact" VALUES('01m8948vaeq4jt8s1yqszfhr14','summary','{"text":"","by":""}',1.79560280641663765912e+09);
INSERT INTO "artifact" VALUES('01m8948vaeq4jt8s1yqszfhr14','messages','{"message_count":2}',1.79560280642216634752e+09);
INSERT INTO "artifact" VALUES('01m8948xwpk3snzec2vqd3dc8q','media','{"extractor":"Generic","media_id":"slow","title":"slow","author":null,"duration_s":null,"page_url":"http://127.0.0.1:34185/slow.wav"}',1.79560280689693903925e+09);
INSERT INTO "artifact" VALUES('01m894936jk9yy8hnn46z6s5gw','media','{"extractor":"Generic","media_id":"story-1","title":"story-1","author":null,"duration_s":null,"page_url":"http://127.0.0.1:34185/story-1.wav"}',1.79560281227856206897e+09);
INSERT INTO "artifact" VALUES('01m894936jk9yy8hnn46z6s5gw','file','{"name":"media.wav","size_bytes":2035564}',1.79560281253320503237e+09);
INSERT INTO "artifact" VALUES('01m894936jk9yy8hnn46z6s5gw','audio','{"name":"audio.s16le","duration_s":63.61}',1.79560281259339594842e+09);
INSERT INTO "artifact" VALUES('01m894936jk9yy8hnn46z6s5gw','transcript','{"language":"en","source":"asr","model":"demo","device":"cpu","duration_s":63.61,"segment_count":20}',1.79560281368910336493e+09);
INSERT INTO "artifact" VALUES('01m894936jk9yy8hnn46z6s5gw','proofread','{"paragraphs":[{"start":0.59,"end":35.77,"text":"The red ship is from the warm signal. Can we repair the window from the doctor? Please move the warm engine. They will not close the black house today. The yellow video is after the simple mountain. Is the video small? You and the student can close a old blue river now. We will open train number two on Tuesday. They will not start the green garden today. The driver is from the white server. You and the friend can close a strong red video now. They can stop the report after the market."},{"start":36.38,"end":63.03,"text":"The red letter is behind the slow window. We will stop video number four on Friday. You and the team can check a simple green video now. They can clean the train before the signal. Please move the slow signal now. Can we start the engine from the student? They will not clean the blue report again. Tuesday evening the team will delete a black house."}],"by":"offline"}',1.79560281371739935874e+09);
INSERT INTO "artifact" VALUES('01m894936jk9yy8hnn46z6s5gw','summary','{"text":"• They will not close the black house today.\n• You and the student can close a old blue river now.\n• You and the team can check a simple green video now.\n• Can we start the engine from the student?","by":"offline"}',1.79560281371993088724e+09);
INSERT INTO "artifact" VALUES('01m894936jk9yy8hnn46z6s5gw','messages','{"message_count":3}',1.79560281372175788877e+09);
INSERT INTO "artifact" VALUES('01m89494s5ykgmg005qr7nffmc','media','{"extractor":"Generic","media_id":"story-2","title":"story-2","author":null,"duration_s":null,"page_url":"http://127.0.0.1:34185/story-2.wav"}',1.79560281389545965194e+09);
INSERT INTO "artifact" VALUES('01m89494s5ykgmg005qr7nffmc','file','{"name":"media.wav","size_bytes":4056684}',1.79560281406209158901e+09);
INSERT INTO "artifact" VALUES('01m89494s5ykgmg005qr7nffmc','audio','{"name":"audio.s16le","duration_s":126.77}',1.79560281414745903007e+09);
INSERT INTO "artifact" VALUES('01m894958152d32b1hvhbb345a','media','{"extractor":"Generic","media_id":"story-5","title":"story-5","author":null,"duration_s":null,"page_url":"http://127.0.0.1:34185/story-5.wav"}',1.79560281460491323471e+09);
CREATE TABLE message (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id     INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    robot      TEXT,                                 -- the run's, repeated for the index of unsent messages
    number     INTEGER,                              -- its place in the run, from 1; NULL for notices
    total      INTEGER,
    kind       TEXT NOT NULL
               CHECK (kind IN ('head', 'summary', 'text', 'chapters', 'translation', 'file', 'notice', 'continuation')),
    format     TEXT NOT NULL CHECK (format IN ('text', 'markdown')),
    text       TEXT NOT NULL,                        -- frozen: every attempt sends exactly these bytes
    bytes      INTEGER NOT NULL,                     -- its length in UTF-8
    state      TEXT NOT NULL CHECK (state IN ('planned', 'sending', 'sent', 'refused', 'in_doubt')),
    attempts   INTEGER NOT NULL DEFAULT 0,
    why        TEXT NOT NULL DEFAULT '',             -- what the channel said to the last change
    sending_at REAL,                                 -- when it was last written to the robot
    sent_at    REAL,
    changed_at REAL NOT NULL
) STRICT;
INSERT INTO "message" VALUES(1,1,'team',1,2,'head','markdown','(1/2) [早安 Morning](http://127.0.0.1:34185/story-0.wav)
时长：0:08 · 语言：英语 · 字数：88 · 片段：3
文本来源：语音识别 · 模型：demo
未使用大语言模型（LLM） · 标点与分段由停顿推定',233,'sent',1,'',1.79560280644489765168e+09,1.79560280644741272924e+09,1.79560280644741272924e+09);
INSERT INTO "message" VALUES(2,1,'team',2,2,'text','text','(2/2)
Can we repair the window from the doctor? The red ship is from the warm signal. Please move the warm engine.',114,'sent',1,'',1.79560280645073866846e+09,1.79560280646088075637e+09,1.79560280646088075637e+09);
INSERT INTO "message" VALUES(3,2,'team',NULL,NULL,'notice','text','转写失败：无标题
http://127.0.0.1:34185/gone.wav
原因：这个地址没有视频。 (HTTP 404)
建议：Check the address; the video may have been removed. 请检查地址，视频可能已被删除。',211,'sent',1,'',1.79560280667822098734e+09,1.79560280668416357039e+09,1.79560280668416357039e+09);
INSERT INTO "message" VALUES(4,3,'team',NULL,NULL,'notice','text','转写失败：slow
http://127.0.0.1:34185/slow.wav
原因：下载超时或停滞。 (nothing came for download.stall_s = 5 s)
建议：Try again later; slow sites need a larger download.timeout_s or download.stall_s. 请稍后再试；较慢的网站需要调大 download.timeout_s 或 download.stall_s。',307,'sent',1,'',1.79560281194596648218e+09,1.79560281194814491266e+09,1.79560281194814491266e+09);
INSERT INTO "message" VALUES(5,4,'team',1,3,'head','markdown','(1/3) [story-1](http://127.0.0.1:34185/story-1.wav)
时长：1:04 · 语言：英语 · 字数：681 · 片段：20
文本来源：语音识别 · 模型：demo
未使用大语言模型（LLM） · 标点与分段由停顿推定 · 摘要为原句摘录',253,'sent',1,'',1.79560281372470235822e+09,1.79560281372636055944e+09,1.79560281372636055944e+09);
INSERT INTO "message" VALUES(6,4,'team',2,3,'summary','text','(2/3)
摘要
• They will not close the black house today.
• You and the student can close a old blue river now.
• You and the team can check a simple green video now.
• Can we start the engine from the student?',218,'sending',1,'',1.79560281373647451404e+09,NULL,1.79560281373647451404e+09);
INSERT INTO "message" VALUES(7,4,'team',3,3,'text','text','(3/3)
The red ship is from the warm signal. Can we repair the window from the doctor? Please move the warm engine. They will not close the black house today. The yellow video is after the simple mountain. Is the video small? You and the student can close a old blue river now. We will open train number two on Tuesday. They will not start the green garden today. The driver is from the white server. You and the friend can close a strong red video now. They can stop the report after the market.

The red letter is behind the slow window. We will stop video number four on Friday. You and the team can check a simple green video now. They can clean the train before the signal. Please move the slow signal now. Can we start the engine from the student? They will not clean the blue report again. Tuesday evening the team will delete a black house.',847,'planned',0,'',NULL,NULL,1.79560281372175788877e+09);
CREATE TABLE reply (
    task_id TEXT NOT NULL REFERENCES task (id) ON DELETE CASCADE,
    key     TEXT NOT NULL,                           -- names the question and who was asked
    model   TEXT NOT NULL,                           -- who answered
    text    TEXT,                                    -- NULL: the answer would have been too long
    PRIMARY KEY (task_id, key)
) STRICT;
CREATE TABLE run (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,       -- order of composition: the order at every robot
    task_id TEXT NOT NULL REFERENCES task (id) ON DELETE CASCADE,
    robot   TEXT,                                    -- NULL: the inbox
    made_at REAL NOT NULL
) STRICT;
INSERT INTO "run" VALUES(1,'01m8948vaeq4jt8s1yqszfhr14','team',1.79560280642216634752e+09);
INSERT INTO "run" VALUES(2,'01m8948xp6mbdm8xb84bk79ng4','team',1.7956028066648654938e+09);
INSERT INTO "run" VALUES(3,'01m8948xwpk3snzec2vqd3dc8q','team',1.79560281193777799601e+09);
INSERT INTO "run" VALUES(4,'01m894936jk9yy8hnn46z6s5gw','team',1.79560281372175788877e+09);
CREATE TABLE segment (
    task_id TEXT NOT NULL REFERENCES task (id) ON DELETE CASCADE,
    id      INTEGER NOT NULL,
    start_s REAL NOT NULL,
    end_s   REAL NOT NULL,
    text    TEXT NOT NULL,
    words   TEXT,                                    -- JSON
    PRIMARY KEY (task_id, id)
) STRICT;
INSERT INTO "segment" VALUES('01m8948vaeq4jt8s1yqszfhr14',0,0.62,2.78,' Can we repair the window from the doctor?',NULL);
INSERT INTO "segment" VALUES('01m8948vaeq4jt8s1yqszfhr14',1,3.36,5.42,' The red ship is from the warm signal.',NULL);
INSERT INTO "segment" VALUES('01m8948vaeq4jt8s1yqszfhr14',2,6.02,7.54,' Please move the warm engine.',NULL);
INSERT INTO "segment" VALUES('01m894936jk9yy8hnn46z6s5gw',0,0.59,2.65,' The red ship is from the warm signal.',NULL);
INSERT INTO "segment" VALUES('01m894936jk9yy8hnn46z6s5gw',1,3.25,5.41,' Can we repair the window from the doctor?',NULL);
INSERT INTO "segment" VALUES('01m894936jk9yy8hnn46z6s5gw',2,6.01,7.55,' Please move the warm engine.',NULL);
INSERT INTO "segment" VALUES('01m894936jk9yy8hnn46z6s5gw',3,8.1,10.3,' They will not close the black house today.',NULL);
INSERT INTO "segment" VALUES('01m894936jk9yy8hnn46z6s5gw',4,10.9,14.32,' The yellow video is after the simple mountain.',NULL);
INSERT INTO "segment" VALUES('01m894936jk9yy8hnn46z6s5gw',5,14.9,16.58,' Is the video small?',NULL);
INSERT INTO "segment" VALUES('01m894936jk9yy8hnn46z6s5gw',6,17.14,19.96,' You and the student can close a old blue river now.',NULL);
INSERT INTO "segment" VALUES('01m894936jk9yy8hnn46z6s5gw',7,20.54,22.68,' We will open train number two on Tuesday.',NULL);
INSERT INTO "segment" VALUES('01m894936jk9yy8hnn46z6s5gw',8,23.24,25.82,' They will not start the green garden today.',NULL);
INSERT INTO "segment" VALUES('01m894936jk9yy8hnn46z6s5gw',9,26.35,28.35,' The driver is from the white server.',NULL);
INSERT INTO "segment" VALUES('01m894936jk9yy8hnn46z6s5gw',10,28.91,31.99,' You and the friend can close a strong red video now.',NULL);
INSERT INTO "segment" VALUES('01m894936jk9yy8hnn46z6s5gw',11,32.57,35.77,' They can stop the report after the market.',NULL);
INSERT INTO "segment" VALUES('01m894936jk9yy8hnn46z6s5gw',12,36.38,38.56,' The red letter is behind the slow window.',NULL);
INSERT INTO "segment" VALUES('01m894936jk9yy8hnn46z6s5gw',13,39.16,41.6,' We will stop video number four on Friday.',NULL);
INSERT INTO "segment" VALUES('01m894936jk9yy8hnn46z6s5gw',14,42.16,45.26,' You and the team can check a simple green video now.',NULL);
INSERT INTO "segment" VALUES('01m894936jk9yy8hnn46z6s5gw',15,45.84,49.08,' They can clean the train before the signal.',NULL);
INSERT INTO "segment" VALUES('01m894936jk9yy8hnn46z6s5gw',16,49.66,51.66,' Please move the slow signal now.',NULL);
INSERT INTO "segment" VALUES('01m894936jk9yy8hnn46z6s5gw',17,52.22,55.16,' Can we start the engine from the student?',NULL);
INSERT INTO "segment" VALUES('01m894936jk9yy8hnn46z6s5gw',18,55.71,58.83,' They will not clean the blue report again.',NULL);
INSERT INTO "segment" VALUES('01m894936jk9yy8hnn46z6s5gw',19,59.39,63.03,' Tuesday evening the team will delete a black house.',NULL);
INSERT INTO "segment" VALUES('01m89494s5ykgmg005qr7nffmc',0,0.59,3.67,' You and the friend can close a strong red video now.',NULL);
INSERT INTO "segment" VALUES('01m89494s5ykgmg005qr7nffmc',1,4.25,6.43,' Can we repair the window from the doctor?',NULL);
INSERT INTO "segment" VALUES('01m89494s5ykgmg005qr7nffmc',2,7.03,9.15,' We will open train number two on Tuesday.',NULL);
INSERT INTO "segment" VALUES('01m89494s5ykgmg005qr7nffmc',3,9.71,12.93,' They can stop the report after the market.',NULL);
INSERT INTO "segment" VALUES('01m89494s5ykgmg005qr7nffmc',4,13.49,15.45,' The driver is from the white server.',NULL);
INSERT INTO "segment" VALUES('01m89494s5ykgmg005qr7nffmc',5,16.03,18.83,' You and the student can close a old blue river now.',NULL);
INSERT INTO "segment" VALUES('01m89494s5ykgmg005qr7nffmc',6,19.39,22.83,' The yellow video is after the simple mountain.',NULL);
INSERT INTO "segment" VALUES('01m89494s5ykgmg005qr7nffmc',7,23.39,25.85,' We will send engine number thirty on Saturday.',NULL);
INSERT INTO "segment" VALUES('01m89494s5ykgmg005qr7nffmc',8,26.43,28.73,' We will move window number two on Saturday.',NULL);
INSERT INTO "segment" VALUES('01m89494s5ykgmg005qr7nffmc',9,29.3,32.22,' You and the doctor can delete a small yellow river tomorrow.',NULL);
INSERT INTO "segment" VALUES('01m89494s5ykgmg005qr7nffmc',10,32.76,35.88,' You and the team can check a simple green video now.',NULL);
CREATE TABLE task (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of acceptance: first come first served, cursor of lists
    id           TEXT NOT NULL UNIQUE,
    owner        TEXT NOT NULL,
    work_key     TEXT NOT NULL,                      -- equal for "the same work" of one owner
    client_ref   TEXT,
    url          TEXT NOT NULL,
    canonical    TEXT NOT NULL,
    search       TEXT NOT NULL,                      -- title and url in case-folded form, for lists
    options      TEXT NOT NULL,                      -- JSON
    priority     INTEGER NOT NULL CHECK (priority BETWEEN 1 AND 4),
    status       TEXT NOT NULL
                 CHECK (status IN ('pending', 'processing', 'retrying', 'completed', 'failed', 'cancelled', 'timeout')),
    stage        TEXT NOT NULL
                 CHECK (stage IN ('queued', 'captions', 'download', 'decode', 'transcribe', 'proofread', 'summarize',
                                  'translate', 'deliver', 'done')),
    lane         TEXT NOT NULL CHECK (lane IN ('fetch', 'asr', 'text', 'deliver')),  -- of the first missing product
    waiting_for  TEXT CHECK (waiting_for IN ('device', 'llm', 'delivery', 'disk', 'model')),
    running_boot TEXT,                               -- the boot of the daemon whose worker has it in hand
    attempt      INTEGER NOT NULL CHECK (attempt >= 1),
    max_attempts INTEGER NOT NULL,
    not_before   REAL,                               -- when a retrying task may start again
    sequence     INTEGER,                            -- place of its transcript among all: the order of the TEXT lane
    layers       TEXT NOT NULL,                      -- JSON
    warnings     TEXT NOT NULL,                      -- JSON
    failure      TEXT,                               -- JSON
    percent      REAL NOT NULL DEFAULT 0 CHECK (percent BETWEEN 0 AND 100),
    reading      TEXT,                               -- JSON, the latest measurement
    created_at   REAL NOT NULL,
    started_at   REAL,
    updated_at   REAL NOT NULL,
    finished_at  REAL
, prompt_tokens INTEGER NOT NULL DEFAULT 0, completion_tokens INTEGER NOT NULL DEFAULT 0, download_url TEXT) STRICT;
INSERT INTO "task" VALUES(1,'01m8948vaeq4jt8s1yqszfhr14','default','6b4e45593fc26c9339c75ef72dc9f1b72788e1934047ab69c68a44a9dced733d','first','http://127.0.0.1:34185/story-0.wav','http://127.0.0.1:34185/story-0.wav','早安 morning
http://127.0.0.1:34185/story-0.wav','{"model":"demo","language":null,"hotwords":null,"prompt":null,"proofread":true,"summarize":true,"script":"simplified","notify":"final","robots":["team"],"title":"早安 Morning","author":null,"description":null}',2,'completed','done','deliver',NULL,NULL,1,4,NULL,1,'[["transcript","done"],["proofread","done"],["summary","skipped_short"],["chapters","disabled"],["translation","disabled"]]','[]',NULL,100.0,'{"stage":"captions","fraction":1.0,"source_done_s":null,"source_total_s":null,"speed":null,"eta_s":null,"bytes_done":null,"bytes_total":null}',1.79560280404609417916e+09,1.79560280405041813845e+09,1.79560280646606802937e+09,1.79560280646606802937e+09,0,0,NULL);
INSERT INTO "task" VALUES(2,'01m8948xp6mbdm8xb84bk79ng4','default','b417f7e070dca41da4fc105d79d4bfb0e8f15499ba845f6cd933cbc138725310',NULL,'http://127.0.0.1:34185/gone.wav','http://127.0.0.1:34185/gone.wav','
http://127.0.0.1:34185/gone.wav','{"model":"demo","language":null,"hotwords":null,"prompt":null,"proofread":true,"summarize":true,"script":"simplified","notify":"final","robots":["team"],"title":null,"author":null,"description":null}',2,'failed','captions','fetch',NULL,NULL,1,4,NULL,NULL,'[["transcript","pending"],["proofread","pending"],["summary","pending"],["chapters","disabled"],["translation","disabled"]]','[]','{"type":"source_not_found","stage":"captions","message":"There is no video at this address. (HTTP 404)","message_zh":"这个地址没有视频。 (HTTP 404)","hint":"Check the address; the video may have been removed. 请检查地址，视频可能已被删除。","retryable":false}',0.0,'{"stage":"captions","fraction":0.0,"source_done_s":null,"source_total_s":null,"speed":null,"eta_s":null,"bytes_done":null,"bytes_total":null}',1.79560280646987056735e+09,1.79560280647159099583e+09,1.7956028066648654938e+09,1.7956028066648654938e+09,0,0,NULL);
INSERT INTO "task" VALUES(3,'01m8948xwpk3snzec2vqd3dc8q','default','9f486856fe6e921b4cd7030e15662b04dea96c5a0f4c61c553e1231dfb241f46',NULL,'http://127.0.0.1:34185/slow.wav','http://127.0.0.1:34185/slow.wav','slow
http://127.0.0.1:34185/slow.wav','{"model":"demo","language":null,"hotwords":null,"prompt":null,"proofread":true,"summarize":true,"script":"simplified","notify":"final","robots":["team"],"title":null,"author":null,"description":null}',2,'timeout','download','fetch',NULL,NULL,1,4,NULL,NULL,'[["transcript","pending"],["proofread","pending"],["summary","pending"],["chapters","disabled"],["translation","disabled"]]','[]','{"type":"download_timeout","stage":"download","message":"The download took too long or stood still. (nothing came for download.stall_s = 5 s)","message_zh":"下载超时或停滞。 (nothing came for download.stall_s = 5 s)","hint":"Try again later; slow sites need a larger download.timeout_s or download.stall_s. 请稍后再试；较慢的网站需要调大 download.timeout_s 或 download.stall_s。","retryable":false}',3.0,'{"stage":"download","fraction":0.0,"source_done_s":null,"source_total_s":null,"speed":null,"eta_s":null,"bytes_done":null,"bytes_total":null}',1.79560280667754626274e+09,1.79560280668240880965e+09,1.79560281193777799601e+09,1.79560281193777799601e+09,0,0,NULL);
INSERT INTO "task" VALUES(4,'01m8949316vj2cdw0z2bkxxv62','default','96ce18a02d5376c882b0964d4f69d17867bab1a43f5adadc38a205c13c7c98af',NULL,'http://127.0.0.1:34185/down.wav','http://127.0.0.1:34185/down.wav','
http://127.0.0.1:34185/down.wav','{"model":"demo","language":null,"hotwords":null,"prompt":null,"proofread":true,"summarize":true,"script":"simplified","notify":"final","robots":["team"],"title":null,"author":null,"description":null}',2,'retrying','captions','fetch',NULL,NULL,2,4,4.0e+09,NULL,'[["transcript","pending"],["proofread","pending"],["summary","pending"],["chapters","disabled"],["translation","disabled"]]','[]','{"type":"source_unreachable","stage":"captions","message":"The site cannot be reached or answers with an error of its own. (HTTP 503)","message_zh":"无法访问该网站，或网站自身出错。 (HTTP 503)","hint":"Check that the site works in a browser on this machine, then submit it again. 请在本机浏览器中确认网站可用，然后重新提交。","retryable":true}',0.0,'{"stage":"captions","fraction":0.0,"source_done_s":null,"source_total_s":null,"speed":null,"eta_s":null,"bytes_done":null,"bytes_total":null}',1.79560281194211578364e+09,1.7956028119426076412e+09,1.79560281210865283017e+09,NULL,0,0,NULL);
INSERT INTO "task" VALUES(5,'01m894936jk9yy8hnn46z6s5gw','default','10e05da80067536b836980a46dd50ba46bc9e4813cc3f1ca4dc98bb7449a7642',NULL,'http://127.0.0.1:34185/story-1.wav','http://127.0.0.1:34185/story-1.wav','story-1
http://127.0.0.1:34185/story-1.wav','{"model":"demo","language":null,"hotwords":null,"prompt":null,"proofread":true,"summarize":true,"script":"simplified","notify":"final","robots":["team"],"title":null,"author":null,"description":null}',2,'processing','deliver','deliver','delivery',NULL,1,4,NULL,2,'[["transcript","done"],["proofread","done"],["summary","done"],["chapters","disabled"],["translation","disabled"]]','[]',NULL,99.9,'{"stage":"deliver","fraction":1.0,"source_done_s":null,"source_total_s":null,"speed":null,"eta_s":null,"bytes_done":null,"bytes_total":null}',1.79560281211367154122e+09,1.79560281211935615546e+09,1.7956028139620289802e+09,NULL,0,0,NULL);
INSERT INTO "task" VALUES(6,'01m89494s5ykgmg005qr7nffmc','default','5eac1bae60ad95845ada45b80722fe3ef0b46c7e1012dfaaa506469cf43f6842',NULL,'http://127.0.0.1:34185/story-2.wav','http://127.0.0.1:34185/story-2.wav','story-2
http://127.0.0.1:34185/story-2.wav','{"model":"demo","language":null,"hotwords":null,"prompt":null,"proofread":true,"summarize":true,"script":"simplified","notify":"final","robots":["team"],"title":null,"author":null,"description":null}',2,'processing','transcribe','asr',NULL,'52ddf9b66aae569d',1,4,NULL,NULL,'[["transcript","pending"],["proofread","pending"],["summary","pending"],["chapters","disabled"],["translation","disabled"]]','[]',NULL,4.271767768399463705e+01,'{"stage":"transcribe","fraction":0.283032263153743,"source_done_s":35.88,"source_total_s":126.77,"speed":8.270292571055041,"eta_s":10.989937685893155,"bytes_done":null,"bytes_total":null}',1.79560281373330473905e+09,1.79560281373492217063e+09,1.79560281850928401951e+09,NULL,0,0,NULL);
INSERT INTO "task" VALUES(7,'01m894956k9t287ff5vkbfxsdv','default','bbc87a2e12dab6126491990770d4b29c325853fe9ef10f38233444ebe9a40d38',NULL,'http://127.0.0.1:34185/story-3.wav','http://127.0.0.1:34185/story-3.wav','
http://127.0.0.1:34185/story-3.wav','{"model":"demo","language":null,"hotwords":null,"prompt":null,"proofread":true,"summarize":true,"script":"simplified","notify":"final","robots":["team"],"title":null,"author":null,"description":null}',2,'cancelled','captions','fetch',NULL,NULL,1,4,NULL,NULL,'[["transcript","pending"],["proofread","pending"],["summary","pending"],["chapters","disabled"],["translation","disabled"]]','[]',NULL,0.0,NULL,1.79560281416306233401e+09,1.79560281417023921007e+09,1.7956028141763076782e+09,1.7956028141763076782e+09,0,0,NULL);
INSERT INTO "task" VALUES(8,'01m894957nd0zn3zr3dwh88ga2','default','bd20ba30c1a717fe1906c0fcfc7b73ade688808566bde9105d8824ebbf0f8206',NULL,'http://127.0.0.1:34185/story-4.wav','http://127.0.0.1:34185/story-4.wav','
http://127.0.0.1:34185/story-4.wav','{"model":"demo","language":null,"hotwords":null,"prompt":null,"proofread":true,"summarize":true,"script":"simplified","notify":"final","robots":["team"],"title":null,"author":null,"description":null}',2,'processing','captions','fetch',NULL,'52ddf9b66aae569d',1,4,NULL,NULL,'[["transcript","pending"],["proofread","pending"],["summary","pending"],["chapters","disabled"],["translation","disabled"]]','[]',NULL,0.0,'{"stage":"captions","fraction":0.0,"source_done_s":null,"source_total_s":null,"speed":null,"eta_s":null,"bytes_done":null,"bytes_total":null}',1.79560281419745039945e+09,1.79560281420762920387e+09,1.79560281496315431596e+09,NULL,0,0,NULL);
INSERT INTO "task" VALUES(9,'01m894958152d32b1hvhbb345a','default','6a9583cd18f358aec889667e23146078b5f585047dbe873e42842a107a758c38',NULL,'http://127.0.0.1:34185/story-5.wav','http://127.0.0.1:34185/story-5.wav','story-5
http://127.0.0.1:34185/story-5.wav','{"model":"demo","language":null,"hotwords":null,"prompt":null,"proofread":true,"summarize":true,"script":"simplified","notify":"final","robots":["team"],"title":null,"author":null,"description":null}',2,'processing','download','fetch',NULL,'52ddf9b66aae569d',1,4,NULL,NULL,'[["transcript","pending"],["proofread","pending"],["summary","pending"],["chapters","disabled"],["translation","disabled"]]','[]',NULL,3.0,'{"stage":"download","fraction":0.0,"source_done_s":null,"source_total_s":null,"speed":null,"eta_s":null,"bytes_done":null,"bytes_total":null}',1.79560281420861315724e+09,1795602814.21083,1.79560281496315431596e+09,NULL,0,0,NULL);
INSERT INTO "task" VALUES(10,'01m8949585ngtg3ycmc73zjpqy','default','d3a4c71aaae270210f1262a060a0ee9ce0bfd3ba8670c9aec1547c3ee7f1dcfb',NULL,'http://127.0.0.1:34185/story-6.wav','http://127.0.0.1:34185/story-6.wav','
http://127.0.0.1:34185/story-6.wav','{"model":"demo","language":null,"hotwords":null,"prompt":null,"proofread":true,"summarize":true,"script":"simplified","notify":"final","robots":["team"],"title":null,"author":null,"description":null}',3,'pending','queued','fetch',NULL,NULL,1,4,NULL,NULL,'[["transcript","pending"],["proofread","pending"],["summary","pending"],["chapters","disabled"],["translation","disabled"]]','[]',NULL,0.0,NULL,1.79560281421261334422e+09,NULL,1.79560281421261334422e+09,NULL,0,0,NULL);
CREATE TABLE transcript_counter (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    last INTEGER NOT NULL
) STRICT;
INSERT INTO "transcript_counter" VALUES(1,2);
CREATE INDEX task_same_work ON task (work_key, number);
CREATE INDEX task_of_owner ON task (owner, number);
CREATE UNIQUE INDEX task_sequence ON task (sequence) WHERE sequence IS NOT NULL;
CREATE INDEX task_unfinished ON task (number)
    WHERE sequence IS NULL AND status IN ('pending', 'processing', 'retrying');
CREATE INDEX task_waiting ON task (lane, priority DESC, number)
    WHERE running_boot IS NULL AND status IN ('pending', 'processing', 'retrying');
CREATE INDEX task_waiting_for_text ON task (lane, sequence)
    WHERE lane = 'text' AND running_boot IS NULL AND status IN ('pending', 'processing', 'retrying');
CREATE INDEX task_first_start ON task (priority DESC, number) WHERE status = 'pending';
CREATE INDEX task_due ON task (not_before) WHERE status = 'retrying';
CREATE INDEX task_in_hand ON task (number) WHERE running_boot IS NOT NULL;
CREATE INDEX task_delivering ON task (number) WHERE lane = 'deliver' AND status = 'processing';
CREATE INDEX run_of_task ON run (task_id);
CREATE INDEX message_of_run ON message (run_id);
CREATE INDEX message_unsent ON message (robot, run_id) WHERE state IN ('planned', 'sending', 'in_doubt');
CREATE INDEX message_written ON message (robot, sending_at) WHERE sending_at IS NOT NULL;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('task',10);
INSERT INTO "sqlite_sequence" VALUES('run',4);
INSERT INTO "sqlite_sequence" VALUES('message',7);
COMMIT;
PRAGMA user_version = 3;
