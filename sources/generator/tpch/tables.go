package tpch

import (
	"millrace/repr"
	"millrace/sources/generator"
)

// The tables, as indexes of Tables.
const (
	Region = iota
	Nation
	Supplier
	Part
	PartSupp
	Customer
	Orders
	LineItem
)

var money = generator.Decimal(15, 2)

// Tables are the eight tables in the order in which they are loaded.
var Tables = []generator.Table{
	Region: {Name: "region", Key: []int{0}, Columns: repr.RowDesc{
		generator.Column("r_regionkey", generator.Int4), generator.Column("r_name", generator.Char(25)),
		generator.Column("r_comment", generator.Varchar(152)),
	}},
	Nation: {Name: "nation", Key: []int{0}, Columns: repr.RowDesc{
		generator.Column("n_nationkey", generator.Int4), generator.Column("n_name", generator.Char(25)),
		generator.Column("n_regionkey", generator.Int4), generator.Column("n_comment", generator.Varchar(152)),
	}},
	Supplier: {Name: "supplier", Key: []int{0}, Columns: repr.RowDesc{
		generator.Column("s_suppkey", generator.Int4), generator.Column("s_name", generator.Char(25)),
		generator.Column("s_address", generator.Varchar(40)), generator.Column("s_nationkey", generator.Int4),
		generator.Column("s_phone", generator.Char(15)), generator.Column("s_acctbal", money),
		generator.Column("s_comment", generator.Varchar(101)),
	}},
	Part: {Name: "part", Key: []int{0}, Columns: repr.RowDesc{
		generator.Column("p_partkey", generator.Int4), generator.Column("p_name", generator.Varchar(55)),
		generator.Column("p_mfgr", generator.Char(25)), generator.Column("p_brand", generator.Char(10)),
		generator.Column("p_type", generator.Varchar(25)), generator.Column("p_size", generator.Int4),
		generator.Column("p_container", generator.Char(10)), generator.Column("p_retailprice", money),
		generator.Column("p_comment", generator.Varchar(23)),
	}},
	PartSupp: {Name: "partsupp", Key: []int{0, 1}, Columns: repr.RowDesc{
		generator.Column("ps_partkey", generator.Int4), generator.Column("ps_suppkey", generator.Int4),
		generator.Column("ps_availqty", generator.Int4), generator.Column("ps_supplycost", money),
		generator.Column("ps_comment", generator.Varchar(199)),
	}},
	Customer: {Name: "customer", Key: []int{0}, Columns: repr.RowDesc{
		generator.Column("c_custkey", generator.Int4), generator.Column("c_name", generator.Varchar(25)),
		generator.Column("c_address", generator.Varchar(40)), generator.Column("c_nationkey", generator.Int4),
		generator.Column("c_phone", generator.Char(15)), generator.Column("c_acctbal", money),
		generator.Column("c_mktsegment", generator.Char(10)), generator.Column("c_comment", generator.Varchar(117)),
	}},
	Orders: {Name: "orders", Key: []int{0}, Columns: repr.RowDesc{
		generator.Column("o_orderkey", generator.Int8), generator.Column("o_custkey", generator.Int4),
		generator.Column("o_orderstatus", generator.Char(1)), generator.Column("o_totalprice", money),
		generator.Column("o_orderdate", generator.Date), generator.Column("o_orderpriority", generator.Char(15)),
		generator.Column("o_clerk", generator.Char(15)), generator.Column("o_shippriority", generator.Int4),
		generator.Column("o_comment", generator.Varchar(79)),
	}},
	LineItem: {Name: "lineitem", Key: []int{0, 3}, Columns: repr.RowDesc{
		generator.Column("l_orderkey", generator.Int8), generator.Column("l_partkey", generator.Int4),
		generator.Column("l_suppkey", generator.Int4), generator.Column("l_linenumber", generator.Int4),
		generator.Column("l_quantity", money), generator.Column("l_extendedprice", money),
		generator.Column("l_discount", money), generator.Column("l_tax", money),
		generator.Column("l_returnflag", generator.Char(1)), generator.Column("l_linestatus", generator.Char(1)),
		generator.Column("l_shipdate", generator.Date), generator.Column("l_commitdate", generator.Date),
		generator.Column("l_receiptdate", generator.Date), generator.Column("l_shipinstruct", generator.Char(25)),
		generator.Column("l_shipmode", generator.Char(10)), generator.Column("l_comment", generator.Varchar(44)),
	}},
}
