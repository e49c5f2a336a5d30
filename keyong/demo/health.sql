-- The demo domain's raw data: people of a province, their insurance claims, public weather. Nobody in it exists.
--
-- Parameter  the variable `persons`: how many people; there are about ten times as many claims.
-- No dice    every value follows from md5 of its row's number and from sums and products, so two runs on any machine
--            make the same files.
-- Dirty      as data are: missing incomes, regions and amounts; a few people with thousands of claims; some incomes and
--            amounts far beyond what a policy would bound.

CREATE TEMP TABLE regions AS
SELECT unnest(range(14)) AS number,
       unnest(['长沙', '株洲', '湘潭', '衡阳', '邵阳', '岳阳', '常德', '张家界', '益阳', '郴州', '永州', '怀化', '娄底',
               '湘西']) AS region,
       -- people per thousand as a running sum, roughly after the size of the place
       unnest([158, 217, 258, 359, 457, 533, 612, 635, 693, 763, 842, 911, 968, 1000]) AS share_end;

-- A front passes over the whole province, with more or less rain in each region, most often in early summer.
CREATE TABLE weather AS
SELECT region, day,
       CASE WHEN front THEN round(u * u * 80, 1) ELSE 0.0 END::DOUBLE AS rain_mm
FROM (
  SELECT number, region, DATE '2024-01-01' + n::INTEGER AS day,
         md5_number_lower('front ' || n // 2) % 100
           < CASE WHEN month(DATE '2024-01-01' + n::INTEGER) BETWEEN 4 AND 7 THEN 55 ELSE 30 END AS front,
         md5_number_lower('rain ' || number || ' ' || n) % 10000 / 10000.0::DOUBLE AS u
  FROM regions, range(366) AS days(n)
)
ORDER BY number, day;

CREATE TEMP TABLE people AS
SELECT number, 100000 + number AS person_id, h, g,
       (h >> 44) % 1000 AS place,
       h % 150 = 0 AS region_missing,
       DATE '1926-01-01' + ((h >> 8) % 36000)::INTEGER AS birth,
       (g % 1048576) / 1048576.0::DOUBLE AS u
FROM (
  SELECT n AS number, (md5_number_lower('person ' || n) >> 1)::BIGINT AS h,
         (md5_number_upper('person ' || n) >> 1)::BIGINT AS g
  FROM range(getvariable('persons')::BIGINT) AS all_people(n)
);

CREATE TEMP TABLE placed AS
SELECT people.*, regions.region,
       -- five products give a long tail without a logarithm, whose last digit depends on the machine
       u * u * u * u AS u4
FROM people JOIN regions
  ON place < share_end AND place >= coalesce((SELECT max(r.share_end) FROM regions r WHERE r.number < regions.number), 0);

CREATE TABLE persons AS
SELECT person_id,
       ['王', '李', '张', '刘', '陈', '杨', '黄', '周', '吴', '赵', '谭', '欧阳'][1 + (h >> 20) % 12]
         || ['伟', '芳', '秀英', '敏', '静', '强', '磊', '洋', '勇', '艳', '杰', '娟', '涛', '明', '超', '玉兰'][1 + (h >> 24) % 16]
         AS name,
       -- no place in the country begins with 99, so this is nobody's number
       '990000' || strftime(birth, '%Y%m%d') || lpad((number % 10000)::VARCHAR, 4, '0') AS id_card,
       CASE WHEN NOT region_missing THEN region END AS region,
       birth,
       CASE WHEN (h >> 30) % 2 = 0 THEN 'F' ELSE 'M' END AS sex,
       CASE WHEN (g >> 20) % 40 > 0
            THEN round(6000 + 50000 * u + 60000 * u4 + 350000 * u4 * u4 * u4 * u4
                       + 250000 * u4 * u4 * u4 * u4 * u4 * u4 * u4 * u4 * u4 * u4 * u4 * u4, 2) END AS income
FROM placed
ORDER BY person_id;

-- How many claims each person has: none for some, a handful for most, dozens for a few, thousands for very few.
CREATE TEMP TABLE claimants AS
SELECT person_id, region,
       CASE WHEN (g >> 26) % 4000 = 0 THEN 900 + (g >> 38) % 3000
            WHEN (g >> 26) % 60 = 1 THEN 30 + (g >> 38) % 60
            WHEN (g >> 26) % 10 = 2 THEN 0
            ELSE 2 + ((g >> 38) % 17) * ((g >> 44) % 17) // 16 + CASE WHEN birth < DATE '1964-01-01' THEN 7 ELSE 2 END
       END::BIGINT AS claims
FROM placed;

CREATE TEMP TABLE visits AS
SELECT person_id, region, k,
       (md5_number_lower('claim ' || person_id || ' ' || k) >> 1)::BIGINT AS h,
       (md5_number_upper('claim ' || person_id || ' ' || k) >> 1)::BIGINT AS g
FROM (SELECT person_id, region, unnest(range(claims)) AS k FROM claimants);

-- Rain brings people to the doctor: a claim on a dry day moves to another day one time in three.
CREATE TABLE claims AS
SELECT person_id * 10000 + k AS claim_id,
       person_id,
       'H' || lpad((1 + least((h >> 18) % 12, (h >> 22) % 16))::VARCHAR, 2, '0') AS hospital,
       ['A09', 'E11', 'I10', 'I25', 'I63', 'J18', 'J44', 'K29', 'M54', 'N18'][1 + least((h >> 26) % 10, (h >> 30) % 14)] AS icd,
       CASE WHEN (g >> 22) % 90 > 0
            THEN (20 + 600 * u + 2500 * u4 + 9000 * u4 * u4 * u4
                  + 45000 * u4 * u4 * u4 * u4 * u4 * u4 * u4 * u4 * u4 * u4)::DECIMAL(12, 2) END AS amount,
       day
FROM (
  SELECT visits.*, u * u * u * u AS u4,
         CASE WHEN rain_mm > 10 OR (h >> 34) % 3 > 0 THEN first_day ELSE second_day END AS day
  FROM (SELECT *, (g % 1048576) / 1048576.0::DOUBLE AS u,
               DATE '2024-01-01' + (h % 366)::INTEGER AS first_day,
               DATE '2024-01-01' + ((h >> 40) % 366)::INTEGER AS second_day
        FROM visits) AS visits
  JOIN weather ON weather.region = visits.region AND weather.day = visits.first_day
)
ORDER BY claim_id;
